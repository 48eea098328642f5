# Sourced by the checks: ROOT (the tree to look at) and how they read and report.
ROOT=${1:?usage: $0 ROOT}
cd "$ROOT" || exit 2

product_files() { # the product's C files; a folder that is not there has none
    find policy consumers producers worker -name '*.[ch]' 2>/dev/null | sort
}

# The product's code as FILE:LINE:CODE, without comments and the inside of strings.
product_code() {
    product_files | while read -r file; do
        awk -v file="$file" '{
            code = ""
            rest = $0
            while (rest != "") {
                if (comment) {
                    end = index(rest, "*/")
                    if (!end) break
                    comment = 0
                    rest = substr(rest, end + 2)
                } else if (match(rest, /\/\*|\/\/|"([^"\\]|\\.)*"|\047([^\047\\]|\\.)+\047/)) {
                    found = substr(rest, RSTART, RLENGTH)
                    code = code substr(rest, 1, RSTART - 1)
                    rest = substr(rest, RSTART + RLENGTH)
                    if (found == "//") break
                    if (found == "/*") comment = 1
                    else code = code "\"\""
                } else {
                    code = code rest
                    rest = ""
                }
            }
            if (code ~ /[^ \t]/) print file ":" FNR ":" code
        }' "$file"
    done
}

# Lines on standard input are faults: print them and fail; none: succeed.
no_faults() {
    if grep .; then exit 1; fi
    exit 0
}
