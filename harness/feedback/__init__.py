"""What a feedback-driven selection observes of a current model, and what it makes of that.

Each observation is a function of a model that is loaded, its tokenizer and conversations: it reads
no file, trains nothing and draws no random number but from the seed it is given.
"""
