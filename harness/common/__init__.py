"""What every stage uses: errors, files, schemas, stores, progress."""
