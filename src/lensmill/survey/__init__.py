"""Survey images: stamps as users have them, read with their conditions, whatever the layout."""
