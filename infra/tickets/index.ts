// Looks a ticket up in FreeScout where there is one; where there is none, only its form is checked.
import { Refusal } from '../../src/domain/codes.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { requireTicketForm } from '../../src/domain/ticket.ts'
import type { Tickets } from '../../src/rotation-ports.ts'
import type { Outgoing } from '../outgoing/index.ts'
import { conversationIn, isOpen, numberOf } from './freescout.ts'

export interface TicketOptions {
  outgoing: Pick<Outgoing, 'request'>
  /** `CHANCERY_FREESCOUT_URL`, without a slash at its end, and `_TOKEN`. */
  freescout: { url: string, token: string } | undefined
}

export const createTickets = ({ outgoing, freescout }: TicketOptions): Tickets => ({
  check: async (ticket) => {
    requireTicketForm(ticket)
    if (freescout === undefined) return 'format'
    const number = numberOf(ticket)
    if (number === undefined) {
      throw new Refusal('ticket_invalid', 'FreeScout is asked for this ticket, and there a ticket is a number: give the one behind # in its conversation, for example 4711.')
    }
    const token = new Secret(freescout.token)
    const { status, body, exchange } = await outgoing.request({
      method: 'GET', url: `${freescout.url}/api/conversations?number=${number}`, headers: { 'X-FreeScout-API-Key': token.reveal(), Accept: 'application/json' },
      secrets: [token], probe: 'ticket'
    })
    if (status === undefined) throw unavailable(`FreeScout gave no answer (${exchange.failure ?? 'unknown'}); try again, or ask whoever looks after it`)
    if (status === 401 || status === 403) throw unavailable(`FreeScout refused our API key (${status}): CHANCERY_FREESCOUT_TOKEN must be one that its API module knows`)
    if (status === 404) throw notOpen(number, 'FreeScout knows no such ticket')
    if (status !== 200) throw unavailable(`FreeScout answered ${status}; try again, or ask whoever looks after it`)
    const found = conversationIn(body ?? '', number)
    if (found === 'unreadable') throw unavailable('FreeScout\'s answer cannot be read: CHANCERY_FREESCOUT_URL must be the address of FreeScout itself, with its API module switched on')
    if (found === undefined) throw notOpen(number, 'FreeScout knows no such ticket')
    if (!isOpen(found)) throw notOpen(number, `FreeScout says that it is ${found.state === 'published' ? found.status : found.state}`)
    return 'open'
  }
})

const unavailable = (why: string): Refusal => new Refusal('tickets_unavailable', `The ticket could not be looked up: ${why}. Nothing was done.`)
const notOpen = (number: number, why: string): Refusal =>
  new Refusal('ticket_not_open', `Ticket ${number} is not open: ${why}. Give one that is active or pending.`, { ticket: String(number) })
