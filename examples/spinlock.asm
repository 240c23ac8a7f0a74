; A test-and-set lock in nasm: two vCPUs increment a counter under it.
;
;     xmcheck check examples/spinlock.o

%include "xmcheck.inc"

section .bss
align 4
lock_word: resd 1
counter:   resd 1

section .text
worker:
.acquire:
    mov eax, 1
    xchg eax, [lock_word]       ; XCHG with memory is locked by nature
    test eax, eax
    jz .owned
.spin:
    pause
    cmp dword [lock_word], 0
    jne .spin
    jmp .acquire
.owned:
    mov eax, lock_word
    XM_CALL XM_CALL_ENTER
    inc dword [counter]         ; two events: only the lock keeps it whole
    mov eax, lock_word
    XM_CALL XM_CALL_LEAVE
    mov dword [lock_word], 0
    ret

check:
    xor eax, eax
    cmp dword [counter], 2
    sete al
    XM_ASSERT eax, 'counter == 2'
    ret

XM_VCPUS worker, 2
XM_FINAL check
XM_OBJECT lock_word, 4
XM_OBJECT counter, 4
