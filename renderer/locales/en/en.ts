import { changes } from './changes.ts'
import { compare } from './compare.ts'
import { frame } from './frame.ts'
import { operate } from './operate.ts'
import { protect } from './protect.ts'
import { tables } from './tables.ts'

export const en = { ...frame, ...tables, ...operate, ...protect, ...changes, ...compare }
