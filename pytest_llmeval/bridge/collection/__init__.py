"""Makes cases of marked functions: reads rows, selects, and gathers facts about both."""
