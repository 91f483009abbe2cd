"""Networks as a row of stages: how they are built, drawn, cut, trained, and kept frozen below a layer."""
