"""Models as every stage uses them: loading, chat template, batches, likelihood."""
