"""What each lesson asks, in the order of its notebook."""
