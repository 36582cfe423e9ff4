"""The cloud as a client first meets it: metadata, sign-in, discovery, health."""
