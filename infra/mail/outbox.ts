// Mail without a server: one `.eml` file a mail, named after its Message-ID, so that sending twice leaves one file.
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import type { OpenMailer } from './mailer.ts'

export const openOutbox = ({ folder, from }: { folder: string, from: string }): OpenMailer => {
  const composer = nodemailer.createTransport({ streamTransport: true, buffer: true, disableFileAccess: true, disableUrlAccess: true }, { from })
  return {
    send: async ({ messageId, to, subject, text }) => {
      const { message: header } = await composer.sendMail({ messageId, to: { name: '', address: to }, subject, text: '' })
      const path = join(folder, `${nameOf(messageId)}.eml`)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await write(path, Buffer.concat([header as Buffer, bodyOf(text)]))
        return { status: 'sent', where: path }
      } catch {
        // A full disk or a folder without rights may be mended.
        return { status: 'failed', final: false }
      }
    },
    forget: async (messageId) => {
      const path = join(folder, `${nameOf(messageId)}.eml`)
      // A hand-over that a crash cut short left an unfinished file.
      for (const file of [path, `${path}.part`]) await rm(file, { force: true })
    },
    close: () => { composer.close() }
  }
}

/** The text as it is, in ASCII: whoever opens the file finds the link in one piece, which quoted-printable would cut. */
const bodyOf = (text: string): Buffer => Buffer.from(text.replaceAll('\n', '\r\n'), 'ascii')

/** Whole or not at all, and on disk before the fact says so. The mail holds a link, so only its owner may read it. */
const write = async (path: string, message: Buffer): Promise<void> => {
  const unfinished = `${path}.part`
  const file = await open(unfinished, 'w', 0o600)
  try {
    await file.writeFile(message)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
}

/** `<id@host>` → `id`. */
const nameOf = (messageId: string): string => {
  const name = /^<([0-9A-Za-z-]+)@/.exec(messageId)?.[1]
  if (name === undefined) throw new Error('a Message-ID that cannot name a file')
  return name
}
