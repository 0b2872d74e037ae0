// The few pieces of Markdown that generated pages are made of.

/** First lines of every generated page: the title, where it comes from, and one sentence on what it lists. */
export const opening = (title: string, source: string, about: string): string =>
  `# ${title}\n\n<!-- Generated from ${source} by npm run docs: edit that, not this. -->\n\n${about}\n`

export const table = (columns: readonly string[], rows: ReadonlyArray<readonly string[]>): string =>
  [columns, columns.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n') + '\n'

export const code = (text: string): string => `\`${text}\``

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
