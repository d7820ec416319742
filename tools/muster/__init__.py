# SPDX-License-Identifier: Apache-2.0
"""Build, sign, patch and inspect firmware images for product fleets; talk to and emulate their boards."""
