"""The history of the tables. `tables` is where all of them are known."""
