"""What only the process that trains imports, whose entry is ``trainer``: rows as tokens, weights, optimizer, looks."""
