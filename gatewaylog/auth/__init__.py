"""One module a kind of credential."""
