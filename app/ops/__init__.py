"""Running the desk: health, certificates, storage, configuration, migrations."""
