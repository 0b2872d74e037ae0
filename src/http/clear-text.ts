// Who is shown names and addresses in clear: those who work with the persons, by a right of its own (ADR 0055).
import type { FastifyRequest } from 'fastify'
import { allows } from '../domain/principal/roles.ts'
import type { Vault } from '../ports.ts'

/** The vault as this caller may use it: without the right `persons.read` nothing is opened, and shows as null. */
export const vaultFor = ({ caller }: Pick<FastifyRequest, 'caller'>, vault: Pick<Vault, 'open'>): Pick<Vault, 'open'> =>
  caller !== undefined && allows(caller.roles, 'persons.read') ? vault : closed

const closed: Pick<Vault, 'open'> = { open: async () => ({ status: 'erased' }) }
