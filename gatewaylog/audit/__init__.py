"""Who did what: the event log, the use of tokens, and the rules that look over it."""
