"""The Ray Serve application: profiles, similar users and recommendations over HTTP."""
