; Live patching from nasm, with the blocks of include/xmpatch.inc: a call is rewritten behind an INT3 while another vCPU makes it.
;
;     xmcheck check examples/textpoke-nasm.o --ladder
;     xmcheck check examples/textpoke-nasm.o --vcpus hasty,caller --fetch independent:16     (no synchronisation after the INT3)

%include "xmpatch.inc"

section .text
old_target:
    ret
times 0x201 nop                 ; apart, so that the displacements differ in more than one byte
new_target:
    ret

align 64
times 62 nop                    ; the bytes in which the calls differ stand on both sides of a line
site: call old_target
    ret

patcher:
    XM_INVOKE xm_text_poke, site, call_new, 5, XM_SYNC_ALL
    ret
hasty:
    XM_INVOKE xm_text_poke, site, call_new, 5, XM_SYNC2 | XM_SYNC3
    ret
caller:
    sti                         ; or the IPI that synchronises does not arrive
    call site
    XM_INVOKE xm_offline        ; nobody waits for it any more
    ret

XM_VCPU patcher
XM_VCPU caller
XM_SITE_INT3 site, 5, old_target, new_target
XM_CALLS site, old_target, new_target
XM_FORM_CALL call_new, site, new_target
XM_SYNC_GROUP 2
XM_POKE_HANDLER
