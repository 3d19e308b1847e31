using System.Globalization;

namespace Garden.Generators.ModelFiles;

// System.Text.Json for netstandard2.0 would put seven assemblies into the analyzers folder and clash with the versions its
// hosts (compiler, MSBuild, editors) have loaded; reading two kinds of files needs no more than these few lines.

/// <summary>
/// A forward-only reader of RFC 8259 JSON that checks everything it passes and uses constant memory beside the text, whatever
/// the text is: nesting is at most <see cref="MaxDepth"/> and numbers stay text until asked for. Beyond the RFC it takes the
/// numbers <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c>, which Python writes into real model files.
/// </summary>
/// <exception cref="JsonFormatException">The text is not JSON; the message says where and what was expected.</exception>
internal sealed class JsonReader(string text)
{
    /// <summary>Objects and arrays inside one another.</summary>
    public const int MaxDepth = 64;

    // Bit d is set when the container at depth d is an object. 64 levels are 64 bits.
    private ulong _objects;
    private int _depth;
    private int _next;
    private int _start;
    private int _end;
    private bool _escaped;

    /// <summary>The current token.</summary>
    public JsonToken Token { get; private set; }

    private bool InObject => _depth != 0 && ((_objects >> (_depth - 1)) & 1) != 0;

    /// <summary>Goes to the next token; at the end it stays there.</summary>
    public JsonToken Read()
    {
        if (Token != JsonToken.End)
            Token = Next();
        return Token;
    }

    /// <summary>Reads on and demands a token.</summary>
    public void Expect(JsonToken token, string what)
    {
        if (Read() != token)
            throw Error(_start, $"expected {what}");
    }

    /// <summary>Passes over the value behind the current name, or the rest of the container just begun.</summary>
    public void Skip()
    {
        if (Token == JsonToken.Name)
            Read();
        if (Token is not (JsonToken.BeginObject or JsonToken.BeginArray))
            return;
        int outer = _depth - 1;
        while (_depth > outer)
            Read();
    }

    /// <summary>The current name or string without its escapes.</summary>
    public string GetString() => _escaped ? Unescape() : text.Substring(_start, _end - _start);

    /// <summary>True when the current name or string is <paramref name="value"/>.</summary>
    public bool Is(string value) =>
        _escaped ? Unescape() == value : _end - _start == value.Length && string.CompareOrdinal(text, _start, value, 0, value.Length) == 0;

    /// <summary>The current number as an int; false when it has a fraction or exponent, or is out of range.</summary>
    public bool TryGetInt32(out int value)
    {
        value = 0;
        return Token == JsonToken.Number
            && _end - _start <= 11 // "-2147483648"; nothing longer is an int, and nothing longer need be copied
            && int.TryParse(text.Substring(_start, _end - _start), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }

    private JsonToken Next()
    {
        char c = SkipSpace();
        bool first = Token is JsonToken.None or JsonToken.BeginObject or JsonToken.BeginArray;
        if (Token == JsonToken.Name)
        {
            if (c != ':')
                throw Error(_next, "expected ':' behind the name");
            _next++;
            SkipSpace();
            return Value();
        }

        if (_depth == 0)
        {
            if (first)
                return Value();
            _start = _next;
            return _next == text.Length ? JsonToken.End : throw Error(_next, "expected the end of the file");
        }

        char close = InObject ? '}' : ']';
        if (c == close)
            return Close();
        if (!first)
        {
            if (c != ',')
                throw Error(_next, $"expected ',' or '{close}'");
            _next++;
            SkipSpace();
        }

        return InObject ? Name() : Value();
    }

    private JsonToken Name()
    {
        if (Peek() != '"')
            throw Error(_next, "expected a name in quotes");
        Quoted();
        return JsonToken.Name;
    }

    private JsonToken Value()
    {
        switch (Peek())
        {
            case '{':
                return Open(JsonToken.BeginObject);
            case '[':
                return Open(JsonToken.BeginArray);
            case '"':
                Quoted();
                return JsonToken.String;
            case 't':
                return Word("true", JsonToken.True);
            case 'f':
                return Word("false", JsonToken.False);
            case 'n':
                return Word("null", JsonToken.Null);
            case 'N':
                return Word("NaN", JsonToken.Number);
            case 'I':
                return Word("Infinity", JsonToken.Number);
            case '-' when Peek(1) == 'I':
                return Word("-Infinity", JsonToken.Number);
            default:
                return Number();
        }
    }

    private JsonToken Open(JsonToken token)
    {
        if (_depth == MaxDepth)
            throw Error(_next, $"nested deeper than {MaxDepth} levels");
        ulong bit = 1UL << _depth++;
        _objects = token == JsonToken.BeginObject ? _objects | bit : _objects & ~bit;
        _start = _next++;
        _end = _next;
        return token;
    }

    private JsonToken Close()
    {
        JsonToken token = InObject ? JsonToken.EndObject : JsonToken.EndArray;
        _depth--;
        _start = _next++;
        _end = _next;
        return token;
    }

    private JsonToken Word(string word, JsonToken token)
    {
        if (string.CompareOrdinal(text, _next, word, 0, word.Length) != 0)
            throw Error(_next, "expected a value");
        _start = _next;
        _end = _next += word.Length;
        return token;
    }

    private JsonToken Number()
    {
        _start = _next;
        if (Peek() == '-')
            _next++;
        if (Peek() == '0')
            _next++;
        else
            Digits(_next == _start ? "expected a value" : "expected a digit");
        if (Peek() == '.')
        {
            _next++;
            Digits("expected a digit behind '.'");
        }

        if (Peek() is 'e' or 'E')
        {
            _next++;
            if (Peek() is '+' or '-')
                _next++;
            Digits("expected a digit in the exponent");
        }

        _end = _next;
        return JsonToken.Number;
    }

    private void Digits(string expected)
    {
        int first = _next;
        while (Peek() is >= '0' and <= '9')
            _next++;
        if (_next == first)
            throw Error(_next, expected);
    }

    private void Quoted()
    {
        _start = ++_next;
        _escaped = false;
        for (; ; _next++)
        {
            switch (Peek())
            {
                case '"':
                    _end = _next++;
                    return;
                case '\\':
                    _escaped = true;
                    Escape();
                    break;
                case < ' ':
                    throw Error(_next, _next == text.Length ? "the string does not end" : "a control character in a string must be escaped");
            }
        }
    }

    /// <summary>Checks one escape and stands on its last character. Surrogates must come in pairs.</summary>
    private void Escape()
    {
        int at = _next++;
        if (Peek() is '"' or '\\' or '/' or 'b' or 'f' or 'n' or 'r' or 't')
            return;
        char unit = Peek() == 'u' ? Unit(at) : throw Error(at, "not an escape");
        _next += 4;
        if (char.IsLowSurrogate(unit))
            throw Error(at, "half of a surrogate pair");
        if (!char.IsHighSurrogate(unit))
            return;
        if (Peek(1) != '\\' || Peek(2) != 'u')
            throw Error(at, "half of a surrogate pair");
        _next += 2;
        if (!char.IsLowSurrogate(Unit(at)))
            throw Error(at, "half of a surrogate pair");
        _next += 4;
    }

    /// <summary>The four hexadecimal digits behind the <c>u</c> at the current place.</summary>
    private char Unit(int escape)
    {
        int unit = 0;
        for (int i = 1; i <= 4; i++)
        {
            int digit = Peek(i) switch
            {
                >= '0' and <= '9' and char c => c - '0',
                >= 'a' and <= 'f' and char c => c - 'a' + 10,
                >= 'A' and <= 'F' and char c => c - 'A' + 10,
                _ => throw Error(escape, "expected four hexadecimal digits"),
            };
            unit = (unit << 4) | digit;
        }

        return (char)unit;
    }

    private string Unescape()
    {
        // Escapes were checked when the token was read, so each is complete.
        var result = new System.Text.StringBuilder(_end - _start);
        for (int i = _start; i < _end; i++)
        {
            if (text[i] != '\\')
            {
                result.Append(text[i]);
                continue;
            }

            char kind = text[++i];
            result.Append(kind switch
            {
                'b' => '\b',
                'f' => '\f',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => (char)int.Parse(text.Substring(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                _ => kind,
            });
            if (kind == 'u')
                i += 4;
        }

        return result.ToString();
    }

    private char SkipSpace()
    {
        while (Peek() is ' ' or '\n' or '\r' or '\t')
            _next++;
        return Peek();
    }

    /// <summary>The character ahead, or NUL behind the end; NUL itself is valid nowhere in JSON.</summary>
    private char Peek(int ahead = 0) => _next + ahead < text.Length ? text[_next + ahead] : '\0';

    private JsonFormatException Error(int position, string message)
    {
        int line = 1, column = 1;
        for (int i = 0; i < position && i < text.Length; i++)
            (line, column) = text[i] == '\n' ? (line + 1, 1) : (line, column + 1);
        return new JsonFormatException($"line {line}, column {column}: {message}");
    }
}
