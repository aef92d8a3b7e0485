"""Questions translated word by word through a dictionary."""
