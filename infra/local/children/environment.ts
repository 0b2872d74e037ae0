// What a child process of ours gets from us: a bare environment, and the loader if we run from sources.

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export const own = {
  /** No setting and no secret of the service reaches a child. */
  // A fixed zone also saves initdb a search through all of them.
  environment: { PATH, LC_ALL: 'C', TZ: 'UTC' } as NodeJS.ProcessEnv,
  /** From dist/ none; from the sources, tsx. */
  nodeOptions: import.meta.url.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : ['--enable-source-maps']
}
