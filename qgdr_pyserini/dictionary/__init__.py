"""Questions translated word by word through a dictionary, or through an encoder's glossary."""
