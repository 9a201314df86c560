"""The commands behind the search, one module a family: how each is read and what it does."""
