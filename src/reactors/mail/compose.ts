// The words of the mails. The link is made here, at the last moment, and stands nowhere else.
import { linkOf, tokenText } from '../../commands/enrolment/link.ts'
import type { Keys, Mail } from '../../ports.ts'

export interface Composition {
  keys: Pick<Keys, 'linkSecret'>
  publicUrl: string
  mailId: string
  testerId: string
  tokenId: string
  expiresAt: string
  purpose: 'invitation' | 'fresh_link'
  to: string
}

const openings = {
  invitation: { subject: 'Your invitation to the beta', why: 'You are invited to the beta.' },
  fresh_link: { subject: 'A fresh link for the beta', why: 'Setting up your access was not completed, so here is a fresh link. Earlier links no longer work.' }
} as const

export const compose = ({ keys, publicUrl, mailId, testerId, tokenId, expiresAt, purpose, to }: Composition): Mail => {
  const { subject, why } = openings[purpose]
  const text = [
    why, '',
    'Open this link and set up a passkey:', '',
    linkOf(publicUrl, tokenText(keys, testerId, tokenId)), '',
    `It is for you alone, and good until ${expiresAt.slice(0, 16).replace('T', ' ')} UTC.`,
    'If you did not expect this mail, ignore it: nothing happens unless the link is opened.', ''
  ].join('\n')
  return { messageId: messageIdOf(mailId, publicUrl), to, subject, text }
}

/** Derives from the event that asked for the mail, so that a mail sent twice is known as one (decision 9). */
export const messageIdOf = (mailId: string, publicUrl: string): string => `<${mailId}@${new URL(publicUrl).hostname}>`
