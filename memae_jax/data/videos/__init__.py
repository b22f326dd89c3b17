"""Videos of users: frames, clips of them, and labels of the frames."""
