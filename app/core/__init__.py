"""What is free of the product and imports nothing of ours."""
