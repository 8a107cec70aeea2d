"""The network opened up: its gates, its memory, what it listened to, and pages that show them."""
