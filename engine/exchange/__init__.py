"""Networks in other forms."""
