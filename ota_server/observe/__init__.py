# SPDX-License-Identifier: Apache-2.0
"""What whoever runs the server sees of it: measures, health, log lines."""
