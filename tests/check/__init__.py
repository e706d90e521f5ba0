"""How much of what porting ten public frameworks took ``remesos check`` finds: see ``README.md``."""
