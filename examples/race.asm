; Two workers count: try `lock inc` (docs/assembly.md).
.vcpu worker, 2
.final done

worker:
    inc dword [counter]
    ret

done:
    cmp dword [counter], 2
    sete al
    movzx eax, al
    assert eax, "both were counted"
    ret

section .data
counter: dd 0
