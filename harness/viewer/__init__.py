"""A page on which a person reads what models were asked, what they answered, and the scores."""
