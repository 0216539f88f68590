"""Whatever leaves the house: a row first, sent later."""
