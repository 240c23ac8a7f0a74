#!/usr/bin/env node
import { existsSync } from 'node:fs'

const bundle = new URL('../dist/cli.js', import.meta.url)
if (!existsSync(bundle)) {
  console.error('xmcheck: not built yet; run `npm run setup` (npm start and npm test do it too)')
  process.exit(2)
}
await import(bundle.href)
