// Whether tests can run the program as another user: as root, in a checkout that others may enter.
import { statSync } from 'node:fs'
import { dirname } from 'node:path'

const enterable = (path: string): boolean => (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || enterable(dirname(path)))

/** The user and group `nobody`. */
export const NOBODY = 65534

/** For a test's `skip`: false, or why not. */
export const anotherUser: false | string = process.getuid?.() !== 0
  ? 'needs root to become another user'
  : enterable(process.cwd()) ? false : 'others may not enter this checkout'
