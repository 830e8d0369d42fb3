//! Reads a query: OR over AND over NOT over single comparisons, then the order.

use super::token::{Kind, Token, tokens};
use super::{Clause, Field, Jql, JqlError, Operand, Operator, Sort, Test};

/// Deeper nesting than anybody writes by hand.
const DEEPEST: usize = 64;

pub(super) fn parse(text: &str) -> Result<Jql, JqlError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let filter =
        if parser.peek().is_none() || parser.peek_is("order") { None } else { Some(parser.any()?) };
    let order = if parser.skip("order") {
        if !parser.skip("by") {
            return Err(parser.unexpected("Expecting 'by'"));
        }
        parser.order()?
    } else {
        Vec::new()
    };
    if parser.peek().is_some() {
        return Err(parser.unexpected("Expecting either 'OR' or 'AND'"));
    }
    Ok(Jql { filter, order })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn any(&mut self) -> Result<Clause, JqlError> {
        let mut clauses = vec![self.all()?];
        while self.skip("or") || self.skip_sign("||") {
            clauses.push(self.all()?);
        }
        Ok(single(clauses, Clause::Or))
    }

    fn all(&mut self) -> Result<Clause, JqlError> {
        let mut clauses = vec![self.one()?];
        while self.skip("and") || self.skip_sign("&&") {
            clauses.push(self.one()?);
        }
        Ok(single(clauses, Clause::And))
    }

    fn one(&mut self) -> Result<Clause, JqlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.unexpected("The query is nested too deeply"));
        }
        let clause = if self.skip("not") {
            Clause::Not(Box::new(self.one()?))
        } else if self.skip_sign("(") {
            let clause = self.any()?;
            if !self.skip_sign(")") {
                return Err(self.unexpected("Expecting ')'"));
            }
            clause
        } else {
            Clause::Test(self.test()?)
        };
        self.depth -= 1;
        Ok(clause)
    }

    fn test(&mut self) -> Result<Test, JqlError> {
        let Some(Kind::Word(name) | Kind::Quoted(name)) = self.next() else {
            return Err(self.unexpected_last("Expecting a field name"));
        };
        let field = Field::named(&name)?;
        let operator = self.operator()?;
        if !supported(field, operator) {
            return Err(JqlError::new(format!(
                "The operator '{}' is not supported by the '{name}' field.",
                sign(operator)
            )));
        }
        let operands = match operator {
            Operator::In | Operator::NotIn => self.operands()?,
            _ => vec![self.operand()?],
        };
        let emptiness = matches!(operator, Operator::Is | Operator::IsNot);
        if emptiness && operands != [Operand::Empty] {
            return Err(JqlError::new(format!(
                "The operator '{}' must be followed by 'EMPTY' or 'NULL' for the field '{name}'.",
                sign(operator)
            )));
        }
        Ok(Test { field, name, operator, operands })
    }

    fn operator(&mut self) -> Result<Operator, JqlError> {
        let operator = match self.next() {
            Some(Kind::Sign("=")) => Operator::Equal,
            Some(Kind::Sign("!=")) => Operator::NotEqual,
            Some(Kind::Sign("<")) => Operator::Less,
            Some(Kind::Sign("<=")) => Operator::AtMost,
            Some(Kind::Sign(">")) => Operator::Greater,
            Some(Kind::Sign(">=")) => Operator::AtLeast,
            Some(Kind::Sign("~")) => Operator::Contains,
            Some(Kind::Sign("!~")) => Operator::ContainsNot,
            Some(word) if word.is_keyword("in") => Operator::In,
            Some(word) if word.is_keyword("not") && self.skip("in") => Operator::NotIn,
            Some(word) if word.is_keyword("is") && self.skip("not") => Operator::IsNot,
            Some(word) if word.is_keyword("is") => Operator::Is,
            _ => {
                return Err(self.unexpected_last(
                    "Expecting operator: the valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', \
                     'NOT IN', 'IS' and 'IS NOT'",
                ));
            }
        };
        Ok(operator)
    }

    fn operands(&mut self) -> Result<Vec<Operand>, JqlError> {
        if !self.skip_sign("(") {
            return Err(self.unexpected("Expecting '('"));
        }
        let mut operands = vec![self.operand()?];
        while self.skip_sign(",") {
            operands.push(self.operand()?);
        }
        if self.skip_sign(")") {
            Ok(operands)
        } else {
            Err(self.unexpected("Expecting ',' or ')'"))
        }
    }

    fn operand(&mut self) -> Result<Operand, JqlError> {
        match self.next() {
            Some(Kind::Quoted(text)) => Ok(Operand::Text(text)),
            Some(word) if word.is_keyword("empty") || word.is_keyword("null") => Ok(Operand::Empty),
            Some(Kind::Word(name)) if self.skip_sign("(") => {
                let function = match name.to_lowercase().as_str() {
                    "currentuser" => Operand::CurrentUser,
                    "now" => Operand::Now,
                    _ => {
                        return Err(JqlError::new(format!(
                            "Unable to find JQL function '{name}()'."
                        )));
                    }
                };
                if self.skip_sign(")") {
                    Ok(function)
                } else {
                    Err(self.unexpected("Expecting ')'"))
                }
            }
            Some(Kind::Word(text)) => Ok(Operand::Text(text)),
            _ => Err(self.unexpected_last("Expecting a value")),
        }
    }

    fn order(&mut self) -> Result<Vec<Sort>, JqlError> {
        let mut order = Vec::new();
        loop {
            let Some(Kind::Word(name) | Kind::Quoted(name)) = self.next() else {
                return Err(self.unexpected_last("Expecting a field name"));
            };
            let field = Field::named(&name)?;
            if field == Field::Text {
                return Err(JqlError::new(format!("Not able to sort using field '{name}'.")));
            }
            let descending = self.skip("desc");
            if !descending {
                self.skip("asc");
            }
            order.push(Sort { field, descending });
            if !self.skip_sign(",") {
                return Ok(order);
            }
        }
    }

    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn peek_is(&self, keyword: &str) -> bool {
        self.peek().is_some_and(|token| token.is_keyword(keyword))
    }

    fn next(&mut self) -> Option<Kind> {
        let kind = self.peek().cloned();
        self.at += 1;
        kind
    }

    fn skip(&mut self, keyword: &str) -> bool {
        let found = self.peek_is(keyword);
        self.at += usize::from(found);
        found
    }

    fn skip_sign(&mut self, sign: &str) -> bool {
        let found = match self.peek() {
            Some(Kind::Sign(found)) => *found == sign,
            Some(Kind::Word(found)) => found == sign,
            _ => false,
        };
        self.at += usize::from(found);
        found
    }

    fn unexpected(&self, expectation: &str) -> JqlError {
        let Some(token) = self.tokens.get(self.at) else {
            return JqlError::new(format!(
                "Error in the JQL Query: {expectation} before the end of the query."
            ));
        };
        JqlError::new(format!(
            "Error in the JQL Query: {expectation} but got '{}'. (line 1, character {})",
            token.kind.text(),
            token.character
        ))
    }

    fn unexpected_last(&mut self, expectation: &str) -> JqlError {
        self.at -= 1;
        self.unexpected(expectation)
    }
}

fn single(mut clauses: Vec<Clause>, several: fn(Vec<Clause>) -> Clause) -> Clause {
    if clauses.len() == 1 { clauses.remove(0) } else { several(clauses) }
}

fn supported(field: Field, operator: Operator) -> bool {
    use Operator::{AtLeast, AtMost, Contains, ContainsNot, Greater, Less};
    match field {
        Field::Summary | Field::Text => {
            matches!(operator, Contains | ContainsNot)
                || (field == Field::Summary && matches!(operator, Operator::Is | Operator::IsNot))
        }
        Field::Created | Field::Updated | Field::Resolved => {
            !matches!(operator, Contains | ContainsNot)
        }
        Field::Key => !matches!(operator, Contains | ContainsNot),
        Field::Rank => false,
        _ => !matches!(operator, Contains | ContainsNot | Less | AtMost | Greater | AtLeast),
    }
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "!=",
        Operator::Less => "<",
        Operator::AtMost => "<=",
        Operator::Greater => ">",
        Operator::AtLeast => ">=",
        Operator::Contains => "~",
        Operator::ContainsNot => "!~",
        Operator::In => "in",
        Operator::NotIn => "not in",
        Operator::Is => "is",
        Operator::IsNot => "is not",
    }
}
