"""Pictures of users: files, masks and the layouts of folders."""
