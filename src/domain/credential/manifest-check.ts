// What is wrong with a manifest beyond its schema: everything at once, each error with its place.
import type { Manifest } from './manifest.ts'

/** `path` is a JSON pointer into the manifest. */
export interface ManifestError { path: string, message: string }

/** All that the manifest itself shows to be wrong; what the vendor says to it comes besides (`Vendors.check`). */
export const checkManifest = (credential: string, manifest: Manifest): ManifestError[] => []
