"""What people may ask of what is held on them: to be forgotten, and to be told."""
