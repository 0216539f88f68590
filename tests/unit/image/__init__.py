"""The appliance shell: what runs in the image and is not the application."""
