"""From folders of objects to training views."""
