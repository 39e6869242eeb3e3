"""What a report says, topic by topic: one file holds a topic's tables and its sentences."""
