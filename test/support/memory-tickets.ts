// A ticket system in memory: the port Tickets, with tickets that are open, closed, or not to be looked up.
import { refuse } from '../../src/domain/codes.ts'
import { requireTicketForm } from '../../src/domain/ticket.ts'
import type { Tickets } from '../../src/rotation-ports.ts'

export interface MemoryTickets extends Tickets {
  /** Tickets that are not open; every other is. */
  closed: Set<string>
  away: boolean
}

export const memoryTickets = (): MemoryTickets => {
  const tickets: MemoryTickets = {
    closed: new Set(),
    away: false,
    check: async (ticket) => {
      requireTicketForm(ticket)
      if (tickets.away) refuse('tickets_unavailable', 'The ticket system does not answer.')
      if (tickets.closed.has(ticket)) refuse('ticket_not_open', 'The ticket is closed.')
      return 'open'
    }
  }
  return tickets
}
