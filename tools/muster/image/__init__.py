# SPDX-License-Identifier: Apache-2.0
"""Firmware images to the byte: docs/spec/image.md."""
