// The accounts side in the same process: what the console calls when no other service has the accounts.
import type { AccountsGateway } from '../../account-ports.ts'
import type { AccountsDeps } from './deps.ts'
import { ghostCheck } from './ghost-check.ts'
import { ghostDelete } from './ghost-delete.ts'

export const accountsInProcess = (deps: AccountsDeps): AccountsGateway => ({
  ghostCheck: (requests, proven) => ghostCheck(deps, requests, proven),
  ghostDelete: (request) => ghostDelete(deps, request)
})
