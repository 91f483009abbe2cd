"""Tasks wait for what they need, and neither taking nor settling looks at those that wait."""

from hypothesis import given
from hypothesis import strategies as st

from tlbench.study import Block
from tlbench.task_line import TaskLine


def block(unit, needs=()):
    return Block("toy", 1, unit, (0,), "g", ("c",), {}, "print", needs)


@st.composite
def tasks(draw):
    """Tasks of one or two blocks; each block may need blocks of earlier tasks."""
    made, keys = [], []
    for number in range(draw(st.integers(1, 12))):
        task = [
            block(
                f"{number}-{part}",
                tuple(draw(st.lists(st.sampled_from(keys), max_size=3, unique=True)) if keys else ()),
            )
            for part in range(draw(st.integers(1, 2)))
        ]
        made.append(task)
        keys += [one.key for one in task]
    return made


@given(tasks(), st.randoms(use_true_random=False))
def test_every_task_is_taken_once_and_never_before_what_it_needs(made, chance):
    unsettled = {one.key for task in made for one in task}
    line, flying, taken = TaskLine(made, unsettled), [], []
    while True:
        while task := line.take():
            assert all(key not in unsettled for one in task for key in one.needs)
            flying.append(task)
            taken.append(task)
        if not flying:
            break
        for one in flying.pop(chance.randrange(len(flying))):
            unsettled.discard(one.key)
            line.settled(one.key)
    assert sorted(map(id, taken)) == sorted(map(id, made))


def test_what_can_begin_comes_in_the_order_of_the_plan():
    free = [[block(str(number))] for number in range(5)]
    line = TaskLine(free, {task[0].key for task in free})
    assert [line.take() for _ in range(5)] == free
    assert line.take() is None


def test_needs_that_are_settled_already_hold_nobody_up():
    assert TaskLine([[block("heir", ("there",))]], set()).take() is not None


class Counted(dict):
    looked = 0

    def __contains__(self, key):
        Counted.looked += 1
        return super().__contains__(key)


def test_each_need_is_looked_up_once_however_many_wait():
    base = block("base")
    heirs = [[block(f"heir {number}", (base.key,))] for number in range(1000)]
    Counted.looked = 0
    line = TaskLine([[base], *heirs], Counted({base.key: base}))
    assert Counted.looked == 1000
    line.take()
    line.settled(base.key)
    assert [line.take() for _ in heirs] == heirs
    assert Counted.looked == 1000
