"""What is asked of the use of tokens: Ed-Fi's queries, the rules, how much there is."""
