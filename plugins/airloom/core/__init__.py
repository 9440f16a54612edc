"""Pure decisions and declarations: standard library, pydantic and yaml only."""
